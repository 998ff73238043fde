// A hook of skaffold.yaml, before a production deployment: makes the Secret `bus-token` in the Namespace `blog` where there
// is none. Its key `token` is the BUS_TOKEN of the five servers. By hand, for the current context: node scripts/bus-token.mjs
// Exit code 0: there is one; 1: kubectl says why not. It runs where nothing is installed: plain JavaScript, Node 20 or newer.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';

const NAME = 'bus-token';
// Skaffold names the context that it deploys to, which need not be the current one.
const context = process.env.SKAFFOLD_KUBE_CONTEXT;
const cluster = [...(context ? ['--context', context] : []), '--namespace', 'blog'];

/** What kubectl prints. What it complains about goes straight to the terminal. */
function kubectl(args, input = '') {
  const { status, stdout, error } = spawnSync('kubectl', [...cluster, ...args], {
    input,
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  if (status === 0) return stdout.trim();
  console.error(`The Secret ${NAME} is not there: ${error?.message ?? `kubectl ${args[0]} failed (see above)`}.`);
  process.exit(1);
}

// Only the name is asked for, so the token of an installation never leaves its cluster.
if (kubectl(['get', 'secret', NAME, '--ignore-not-found', '--output=name'])) {
  console.log(`Secret ${NAME}: kept.`);
} else {
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: NAME, labels: { 'app.kubernetes.io/part-of': 'blog' } },
    stringData: { token: randomBytes(32).toString('base64url') },
  };
  // By stdin: the arguments of a process can be read by others. `create`, because `apply` would leave a second copy of the
  // token in an annotation, and replace one that was made meanwhile.
  kubectl(['create', '--filename=-'], JSON.stringify(secret));
  console.log(`Secret ${NAME}: created.`);
}
