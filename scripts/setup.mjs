// `node scripts/setup.mjs [SCRIPT [ARGUMENTS]]` installs what is missing, then runs one of these scripts (or
// ../bench/main.ts) on the Node of this project. Every npm script begins here (and has no `pre` script: with
// `ignore-scripts` npm leaves those out). It starts on whatever Node the machine has: plain JavaScript, nothing imported
// that has to be installed.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync, realpathSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const OLDEST_NODE = 20;

/** npm's fields `os`, `cpu` and `libc`: the values that a package is for, or with a `!` those that it is not for. */
const fits = (list, value) =>
  !list || list.includes(value) || list.every((item) => item[0] === '!' && item !== `!${value}`);

/**
 * Of the optional packages, those with native code for this platform are needed: node_modules that were copied from another one
 * have others. (The Node that npm brings for Linux needs glibc.)
 */
const isNeeded = ({ optional, os, cpu, libc }) =>
  !optional || ((os || cpu) && fits(os, process.platform) && fits(cpu, process.arch) && fits(libc, 'glibc'));

/**
 * Whether node_modules holds what the lock file asks for. npm keeps its own record of what it installed; so an install
 * made by hand counts, and one that was interrupted (npm writes the record last) does not.
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

/** The Node that the scripts run on: npm's package `node` brings it. */
export function nodeBinary(root) {
  return join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
}

/** Without starting it: npm's package `node` keeps the binary in one that is called after the platform. */
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
# Written by scripts/setup.mjs, which says why.
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
 * Points npm's link `.bin/node` at a script: it runs the project's Node, or on another platform, to which node_modules were
 * copied, the next Node on the PATH, so that this file is run at all. There, sh would only say `1: ????: not found`.
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
    // npm's own link stays: somebody else's node_modules, for example
  }
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

function npm(root, ...args) {
  const cli = process.env.npm_execpath;
  if (!cli || !/npm-cli\.c?js$/.test(cli)) fail('Packages are missing. Install them with: npm ci --include=dev');
  // The Node that npm itself runs on: this script's own may be the one in node_modules that is about to be replaced.
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
  // Vite cuts a path off at # or ?, and writes it unescaped where " and $ have a meaning; Node replaces a * by the imported name.
  if (/[#?*"$]/.test(root))
    fail(`The blog cannot run in a folder with # ? * " or $ in its name: rename ${root}, then start again.`);
  const installed = isInstalled(root);
  const pinned = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).devDependencies.node;
  if (installed && hasNodeBinary(root, pinned)) return;

  if (!installed) {
    console.log('Installing packages (the first time this takes about half a minute) …');
    // Windows cannot delete a program that runs, and this script may be running on the Node in node_modules: there an
    // existing install is brought up to date in place.
    const inPlace = process.platform === 'win32' && process.execPath.startsWith(join(root, 'node_modules'));
    npm(root, ...(inPlace ? ['install', '--no-save'] : ['ci']));
  }
  if (versionOf(nodeBinary(root)) !== `v${pinned}`) {
    // With `ignore-scripts` npm leaves the binary out, and every script would silently run on the machine's own Node.
    console.log(`Installing Node v${pinned} for this project …`);
    npm(root, 'rebuild', 'node', '--ignore-scripts=false');
    const found = versionOf(nodeBinary(root));
    if (found !== `v${pinned}`)
      fail(`Node v${pinned} could not be installed (found ${found ?? 'none'} in node_modules/node).`);
  }
}

/** In this process if it is that Node, else (right after an install) in one that ends with this one. */
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
  const scripts = dirname(fileURLToPath(import.meta.url));
  const root = dirname(scripts);
  const [script, ...args] = process.argv.slice(2);
  setup(root);
  if (script) await run(nodeBinary(root), join(scripts, script), args);
}
