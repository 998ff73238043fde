// A Skaffold hook, run before a deployment: makes a Secret with a random `token` in the Namespace `blog` if there is none.
// `bus-token` (the default) is the BUS_TOKEN of the five servers, `nats-token` that of the bus and the quorum, `oidc-client` the
// secret of auth at the issuer. By hand, for the current context: node scripts/k8s/secret.mjs [nats-token|oidc-client].
// Exit code 0: the Secret exists; 1: kubectl's error is printed; 2: wrong usage. It runs before anything is installed, so it is
// plain JavaScript for Node 20 or newer.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';

const [NAME = 'bus-token', ...more] = process.argv.slice(2);
if (!['bus-token', 'nats-token', 'oidc-client'].includes(NAME) || more.length > 0) {
  console.error('Usage: node scripts/k8s/secret.mjs [bus-token|nats-token|oidc-client]');
  process.exit(2);
}
// Skaffold names the context that it deploys to, which may differ from the current one.
const context = process.env.SKAFFOLD_KUBE_CONTEXT;
const cluster = [...(context ? ['--context', context] : []), '--namespace', 'blog'];

/** Runs kubectl and returns its output. Its errors go straight to the terminal. */
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

// Asks only for the name, so an installation's token never leaves its cluster.
if (kubectl(['get', 'secret', NAME, '--ignore-not-found', '--output=name'])) {
  console.log(`Secret ${NAME}: kept.`);
} else {
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: NAME, labels: { 'app.kubernetes.io/part-of': 'blog' } },
    stringData: { token: randomBytes(32).toString('base64url') },
  };
  // Passed by stdin, because other users can read a process's arguments. `create`, because `apply` would copy the token
  // into an annotation, and overwrite one that was made meanwhile.
  kubectl(['create', '--filename=-'], JSON.stringify(secret));
  console.log(`Secret ${NAME}: created.`);
}
