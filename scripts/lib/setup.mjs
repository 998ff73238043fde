// `node scripts/lib/setup.mjs [SCRIPT [ARGUMENTS]]` installs missing packages, then runs a script on this project's Node.
// Every npm script starts here (without a `pre` script, which npm skips under `ignore-scripts`). It must start on any
// Node with nothing installed, so it is plain JavaScript without packages.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync, realpathSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const OLDEST_NODE = 20;
/** The polling interval in milliseconds for the shell in which npm runs this script. */
const SHELL_MS = 300;

/** npm's fields `os`, `cpu` and `libc`: the values that a package supports, or with a `!` those that it does not. */
const fits = (list, value) =>
  !list || list.includes(value) || list.every((item) => item[0] === '!' && item !== `!${value}`);

/**
 * Of the optional packages, those with native code for this platform are required. They are missing in node_modules
 * copied from another platform. (npm's Node for Linux needs glibc.)
 */
const isNeeded = ({ optional, os, cpu, libc }) =>
  !optional || ((os || cpu) && fits(os, process.platform) && fits(cpu, process.arch) && fits(libc, 'glibc'));

/**
 * Compares node_modules with the lock file by npm's own record of an install. An install by hand counts; an interrupted
 * one does not, because npm writes the record last.
 */
export function isInstalled(root) {
  try {
    const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
    const found = JSON.parse(readFileSync(join(root, 'node_modules', '.package-lock.json'), 'utf8')).packages;
    const same = (a, b) => a?.version === b?.version && a?.integrity === b?.integrity && a?.link === b?.link;
    return (
      Object.keys(found).every((path) => same(found[path], wanted[path])) &&
      // The entry '' is the project itself.
      Object.keys(wanted).every((path) => path === '' || !isNeeded(wanted[path]) || found[path])
    );
  } catch {
    return false;
  }
}

/** The Node of this project, from npm's package `node`. */
export function nodeBinary(root) {
  return join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
}

/** Checks for the binary without starting it: the package `node` keeps it in a package named after the platform. */
function hasNodeBinary(root, pinned) {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  try {
    const name = `${platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node'}-${platform}-${process.arch}`;
    const path = join(root, 'node_modules', 'node', 'node_modules', name, 'package.json');
    return JSON.parse(readFileSync(path, 'utf8')).version === pinned && existsSync(nodeBinary(root));
  } catch {
    return false;
  }
}

function versionOf(binary) {
  const { stdout } = spawnSync(binary, ['--version'], { encoding: 'utf8' });
  return stdout?.trim();
}

const LAUNCHER = `#!/bin/sh
# Written by scripts/lib/setup.mjs, which says why.
[ "$(uname -sm)" = 'PLATFORM' ] && exec "$(dirname "$0")/../node/bin/node" "$@"
set -f
IFS=:
for folder in $PATH; do
  case $folder in
    */node_modules/.bin) ;;
    *) [ -x "$folder/node" ] && exec "$folder/node" "$@" ;;
  esac
done
echo 'There is no Node for this machine: https://nodejs.org' >&2
exit 127
`;

/**
 * Replaces npm's link `.bin/node` by a launcher script: it runs the project's Node, or if node_modules were copied from
 * another platform, the next Node on the PATH. Otherwise sh would only say `1: ????: not found`.
 */
export function writeLauncher(root) {
  const link = join(root, 'node_modules', '.bin', 'node');
  const target = '../node/bin/launch'; // in the package: npm replaces a link to there
  try {
    if (process.platform === 'win32' || readlinkSync(link) === target) return;
    const platform = spawnSync('uname', ['-sm'], { encoding: 'utf8' }).stdout.trim();
    const script = LAUNCHER.replace('PLATFORM', platform);
    writeFileSync(join(nodeBinary(root), '..', 'launch'), script, { mode: 0o755 });
    const draft = `${link}.${process.pid}`;
    symlinkSync(target, draft);
    renameSync(draft, link);
  } catch {
    // The user may not own node_modules: npm's link stays.
  }
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

function npm(root, ...args) {
  const cli = process.env.npm_execpath;
  if (!cli || !/npm-cli\.c?js$/.test(cli)) fail('Packages are missing. Install them with: npm ci --include=dev');
  // The Node that runs npm, because this script's own may be the one in node_modules that is about to be replaced.
  const node = process.env.npm_node_execpath || process.execPath;
  const quiet = ['--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = spawnSync(node, [cli, ...args, ...quiet], { cwd: root, stdio: 'inherit' });
  if (status !== 0) fail(`Installing failed: npm ${args.join(' ')} ended with ${status ?? 'a signal'} (see above).`);
}

export function setup(root) {
  install(root);
  writeLauncher(root);
}

function install(root) {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < OLDEST_NODE) {
    fail(`Node ${process.versions.node} is too old: Node ${OLDEST_NODE} or newer is needed (https://nodejs.org).`);
  }
  // Vite cuts paths off at # or ?, and writes them unescaped where " and $ have a meaning; Node replaces a * by the
  // imported name.
  if (/[#?*"$]/.test(root))
    fail(`The blog cannot run in a folder with # ? * " or $ in its name: rename ${root}, then start again.`);
  const installed = isInstalled(root);
  const pinned = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).devDependencies.node;
  if (installed && hasNodeBinary(root, pinned)) return;

  if (!installed) {
    console.log('Installing packages (the first time this takes about half a minute) …');
    // Windows cannot delete a running program, and this script may run on the Node in node_modules, so there an
    // existing install is updated in place.
    const inPlace = process.platform === 'win32' && process.execPath.startsWith(join(root, 'node_modules'));
    npm(root, ...(inPlace ? ['install', '--no-save'] : ['ci']));
  }
  if (versionOf(nodeBinary(root)) !== `v${pinned}`) {
    // Under `ignore-scripts` npm leaves the binary out, and every script would silently run on the machine's own Node.
    console.log(`Installing Node v${pinned} for this project …`);
    npm(root, 'rebuild', 'node', '--ignore-scripts=false');
    const found = versionOf(nodeBinary(root));
    if (found !== `v${pinned}`)
      fail(`Node v${pinned} could not be installed (found ${found ?? 'none'} in node_modules/node).`);
  }
}

/**
 * Stops this process when npm's shell is gone. npm passes SIGINT and SIGTERM on to that shell only, and some shells
 * (dash) end by them without passing them on. On Windows the id of the parent never changes.
 */
function stopWithShell() {
  const shell = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, SHELL_MS).unref();
}

/**
 * Runs the script in this process if it is the project's Node, else (right after an install) in a child that ends with
 * it.
 */
async function run(node, script, args) {
  if (realpathSync(node) === process.execPath) {
    process.argv.splice(1, process.argv.length, script, ...args);
    await import(pathToFileURL(script).href);
    return;
  }
  const endWithParent = new URL('./end-with-parent.ts', import.meta.url).href;
  const child = spawn(node, ['--import', endWithParent, script, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code) => process.exit(code ?? 1));
}

if (process.argv[1] && import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href) {
  const root = join(fileURLToPath(import.meta.url), '..', '..', '..');
  const [script, ...args] = process.argv.slice(2);
  if (process.env.npm_lifecycle_event) stopWithShell();
  setup(root);
  if (script) await run(nodeBinary(root), join(root, script), args);
}
