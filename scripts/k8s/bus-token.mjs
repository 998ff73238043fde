// A Skaffold hook, run before a production deployment: makes the Secret `bus-token` in the Namespace `blog` if there is
// none. Its key `token` is the BUS_TOKEN of the five servers. By hand, for the current context: node
// scripts/k8s/bus-token.mjs. Exit code 0: the Secret exists; 1: kubectl's error is printed. It runs before anything is
// installed, so it is plain JavaScript for Node 20 or newer.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';

const NAME = 'bus-token';
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
