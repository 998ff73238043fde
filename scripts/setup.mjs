// `node scripts/setup.mjs [SCRIPT [ARGUMENTS]]` installs what is missing, then runs one of these scripts (or
// ../bench/main.ts) on the Node of this project. Every npm script begins here (and has no `pre` script: with
// `ignore-scripts` npm leaves those out). It starts on whatever Node the machine has: plain JavaScript, nothing imported
// that has to be installed.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const OLDEST_NODE = 20;

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
      // Optional packages may be for other platforms; the entry '' is the project itself.
      Object.keys(wanted).every((path) => path === '' || wanted[path].optional || found[path])
    );
  } catch {
    return false;
  }
}

/** The Node that the scripts run on: npm's package `node` brings it. */
export function nodeBinary(root) {
  return join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
}

function versionOf(binary) {
  const { stdout } = spawnSync(binary, ['--version'], { encoding: 'utf8' });
  return stdout?.trim();
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
  const major = Number(process.versions.node.split('.')[0]);
  if (major < OLDEST_NODE) {
    fail(`Node ${process.versions.node} is too old: Node ${OLDEST_NODE} or newer is needed (https://nodejs.org).`);
  }
  const installed = isInstalled(root);
  if (installed && existsSync(nodeBinary(root))) return;

  if (!installed) {
    console.log('Installing packages (the first time this takes about half a minute) …');
    // Windows cannot delete a program that runs, and this script may be running on the Node in node_modules: there an
    // existing install is brought up to date in place.
    const inPlace = process.platform === 'win32' && process.execPath.startsWith(join(root, 'node_modules'));
    npm(root, ...(inPlace ? ['install', '--no-save'] : ['ci']));
  }
  const pinned = `v${JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).devDependencies.node}`;
  if (versionOf(nodeBinary(root)) !== pinned) {
    // With `ignore-scripts` npm leaves the binary out, and every script would silently run on the machine's own Node.
    console.log(`Installing Node ${pinned} for this project …`);
    npm(root, 'rebuild', 'node', '--ignore-scripts=false');
    const found = versionOf(nodeBinary(root));
    if (found !== pinned)
      fail(`Node ${pinned} could not be installed (found ${found ?? 'none'} in node_modules/node).`);
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
