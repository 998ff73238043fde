// `npm run k8s:reset`: deletes the Namespace `blog`, with all its data, from a cluster, after naming the cluster and
// asking. Exit code 0: the Namespace is gone, 1: it may still exist, 2: wrong usage.
import { spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { optionsOrUsage } from '../lib/usage.ts';

const NAMESPACE = 'blog';
const LABEL = 'app.kubernetes.io/part-of';

function stop(message: string): never {
  console.error(message);
  process.exit(1);
}

const options = optionsOrUsage(() => {
  const { values } = parseArgs({
    options: { context: { type: 'string' }, yes: { type: 'boolean', default: false } },
  });
  // As with `--context "$UNSET"`: kubectl would use the current cluster, with `--yes` without asking.
  if (values.context?.trim() === '') throw new Error('--context is empty: name a context.');
  return values;
}, 'Usage: npm run k8s:reset -- [--context NAME] [--yes]');

/** Runs kubectl and returns its output; `otherwise` explains a failure. */
function kubectl(args: string[], otherwise: string): string {
  const { status, stdout, stderr, error } = spawnSync('kubectl', args, { encoding: 'utf8' });
  if ((error as NodeJS.ErrnoException)?.code === 'ENOENT') {
    stop('kubectl is not installed, or not on the PATH (https://kubernetes.io/docs/tasks/tools/).');
  }
  // kubectl may log its own retries before the line with the reason.
  if (status !== 0) stop(`${otherwise} kubectl says: ${stderr?.trim().split('\n').at(-1) || error?.message}`);
  return stdout.trim();
}

async function isWanted(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) stop('There is no terminal to ask in: confirm with --yes.');
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await new Promise<string>((resolve) => {
    terminal.once('close', () => resolve('')); // Ctrl-C, Ctrl-D
    void terminal.question(`${question} [y/N] `).then(resolve, () => resolve(''));
  });
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}

const context =
  options.context ??
  kubectl(['config', 'current-context'], 'There is no current cluster: choose one with --context NAME.');
// Named in every call, because the current context may change while the question is open.
const cluster = [`--context=${context}`];

const found = kubectl(
  [...cluster, 'get', 'namespace', NAMESPACE, '--ignore-not-found', '--output=json', '--request-timeout=10s'],
  `The cluster of context "${context}" does not answer.`,
);
if (!found) {
  console.log(`There is no Namespace ${NAMESPACE} in the cluster of context "${context}": nothing to delete.`);
  process.exit(0);
}
if (JSON.parse(found).metadata.labels?.[LABEL] !== NAMESPACE) {
  stop(
    `The Namespace ${NAMESPACE} of context "${context}" is not this blog's: it lacks the label ${LABEL}=${NAMESPACE}.`,
  );
}
const question = `Delete the Namespace ${NAMESPACE} with all posts, comments and events from the cluster of context "${context}"?`;
if (!options.yes && !(await isWanted(question))) stop('Nothing is deleted.');

console.log(`Deleting the Namespace ${NAMESPACE} from the cluster of context "${context}" …`);
kubectl(
  [...cluster, 'delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait', '--timeout=5m'],
  `The Namespace ${NAMESPACE} is not gone yet, or not deleted.`,
);
console.log('Deleted.');
