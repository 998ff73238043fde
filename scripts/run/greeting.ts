// The greeting of `npm start`, once all parts are ready or have failed: addresses, failures, and what to try.
import { relative } from 'node:path';
import { printable } from '@blog/common/core/printable.ts';
import { PARTS } from '@blog/common/run/parts.ts';
import { partOf } from '../lib/copies.ts';
import { type Options, portOf, processNames, signInParts } from '../lib/part-process.ts';
import type { Part } from '../lib/supervisor.ts';

/** `name`: the process whose file is the example. */
function howToReadLogs(logFolder: string, name: string): string[] {
  const folder = relative('', logFolder);
  const shown = printable(/^[\w./-]+$/.test(folder) ? folder : JSON.stringify(folder));
  return [
    `Logs: a file of JSON lines for each process in ${shown}; more lines with LOG_LEVEL=debug.`,
    `      As text:   npx pino-pretty < ${shown}/${name}.log`,
    `      One trace: cat ${shown}/*.log | jq -c 'select(.traceId == "…")'`,
  ];
}

/** `wanted`: the processes that are to run. `logFolder`: the folder of the log files, if there are any. */
export function createGreeting(wanted: Part[], options: Options, logFolder?: string) {
  const notReady: string[] = []; // since the greeting
  let greeted = false;

  const statusOf = (name: string) => wanted.find((part) => part.name === name)?.status();
  const isReady = (name: string) => statusOf(name)?.state === 'ready';
  /** True if at least one process of the part is ready. */
  const answers = (part: string) => processNames(part, options).some(isReady);
  const width = Math.max(12, ...wanted.map(({ name }) => name.length));

  function lastWordOf(name: string): string {
    const status = statusOf(name);
    const said = printable(status?.said || 'no output').slice(0, 200);
    return `${said} (${status?.state === 'starting' && status.restarts === 0 ? 'does not answer yet' : 'keeps restarting'})`;
  }

  /** A part's main address for a browser or curl; with copies the balancer's. */
  function addressOf(part: string): string {
    const origin = `http://localhost:${options.ports.get(part)}`;
    if (part === 'client') {
      const api = options.production ? '' : `; its API: ${origin}/docs`;
      return `${origin}   (the blog; its inner workings: ${origin}/system${api})`;
    }
    if (part === 'auth') return `${origin}   (sign in at ${options.signIn?.PUBLIC_URL}/login)`;
    if (part === 'issuer') return `${origin}   (to play with: you are Ada or Grace, without a password)`;
    if (part === 'event-bus' && options.bus) return `${origin}   (${printable(options.bus.name)}/bus.ts)`;
    return origin + ({ posts: '/posts', query: '/posts', 'event-bus': '/events' }[part] ?? '');
  }

  /** The ready copies of a part and their own ports; nothing for a part that runs once. */
  function copiesOf(part: string): string {
    const copies = options.copies?.has(part) ? processNames(part, options).filter(isReady) : [];
    return copies.length > 0 ? `   (${copies.map((name) => `${name} at ${portOf(name, options)}`).join(', ')})` : '';
  }

  /** Suggested experiments with the running parts. */
  function suggestions(canEdit: boolean): string[] {
    const first = (part: string) => processNames(part, options)[0] as string;
    const inCopies = (options.copies?.size ?? 0) > 0;
    const { bus } = options;
    if (bus) {
      return [
        bus.next?.before,
        bus.next && `Try: ${bus.next.try}`,
        isReady('nats-1') && 'Try: Type "kill nats-1": the log goes on with two of its three nodes.',
        canEdit && `Try: Edit ${printable(bus.name)}/bus.ts while you keep writing.`,
      ].filter((line) => typeof line === 'string');
    }
    return [
      !inCopies &&
        isReady('moderation') &&
        'Try: Write a comment with the word "orange". Type "stop moderation", comment again, then "start moderation".',
      inCopies && 'Try: Type "kill posts-1", "kill query-0" or "stop comments-1" while you write: the others go on.',
      isReady(first('event-bus')) && `Try: Type "kill ${first('event-bus')}" while you write.`,
      isReady('nats-1') && 'Try: Type "kill nats-1": the log goes on with two of its three nodes.',
      isReady('auth') && 'Try: Sign in, type "stop auth" and write. It is stored when you type "start auth".',
      answers('posts') && canEdit && 'Try: Edit posts/src while you keep writing.',
    ].filter((line) => line !== false);
  }

  return {
    /** A line for a process that became ready only after the greeting had named it as not ready. */
    nowReady(name: string): string | undefined {
      if (!notReady.includes(name) || !isReady(name)) return undefined;
      notReady.splice(notReady.indexOf(name), 1);
      return options.ports.has(name) ? `is ready now: ${addressOf(name)}` : 'is ready now';
    },

    /** Prints the greeting, once. */
    print({ canEdit }: { canEdit: boolean }): void {
      if (greeted) return;
      greeted = true;
      const late = wanted.filter((part) => !['ready', 'stopped'].includes(part.status().state));
      notReady.push(...late.map(({ name }) => name));
      const seconds = (performance.now() / 1000).toFixed(1);
      const nodes = wanted.filter(({ name }) => partOf(name) === 'nats' && isReady(name));
      const lines = [
        notReady.length === 0
          ? `Ready after ${seconds} s.`
          : `Ready after ${seconds} s, except for parts that did not start:`,
        ...notReady.map((name) => `  ${name.padEnd(width)} ${lastWordOf(name)}`),
        // The blog comes first here, though the parts are started in the other order.
        ...[...signInParts, ...PARTS]
          .filter(answers)
          .map((part) => `  ${part.padEnd(width)} ${addressOf(part)}${copiesOf(part)}`)
          .reverse(),
        ...(nodes.length > 0 ? [`  ${'nats'.padEnd(width)} ${options.natsUrl?.replaceAll(',', ', ')}`] : []),
        '',
        ...suggestions(canEdit),
        ...(logFolder === undefined ? [] : howToReadLogs(logFolder, processNames('posts', options)[0] as string)),
        `Commands here, or in another terminal as npm run part -- COMMAND: stop, start, kill${options.bus ? ', wipe' : ''} PART; status. Ctrl-C stops all.`,
      ];
      console.log(`\n${lines.map((line) => `  ${line}`.trimEnd()).join('\n')}\n`);
    },
  };
}
