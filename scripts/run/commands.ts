// The commands of the runner: stop, start, kill or wipe a part, and the state of all.
import { withData } from '../data/data-folder.ts';
import type { Answer } from '../lib/control.ts';
import { partOf } from '../lib/copies.ts';
import type { Part, Status } from '../lib/supervisor.ts';

/**
 * Creates the commands. `blocked` returns the reason why a part cannot be started now, if there is one. `wipe` deletes the data of
 * a stopped part; without it there is no such command.
 */
export function createCommands(
  parts: Part[],
  blocked: (name: string) => Promise<string | undefined>,
  wipe?: (name: string) => void,
) {
  const usage = `Commands: stop PART, start PART, kill PART, ${wipe ? 'wipe PART, ' : ''}status`;
  const names = parts.map((part) => part.name).join(', ');

  return async function obey([verb, name]: string[]): Promise<Answer> {
    if (verb === 'status') return { code: 0, text: table(parts.map((part) => part.status())) };
    if (verb === 'wipe' && !wipe) return { code: 2, text: 'Only with npm start -- --bus can a part be wiped.' };
    if (!['stop', 'start', 'kill', 'wipe'].includes(`${verb}`)) return { code: 2, text: usage };
    const part = parts.find((candidate) => candidate.name === name);
    const copies = parts.map((candidate) => candidate.name).filter((candidate) => partOf(candidate) === name);
    if (!part && copies.length > 0) return { code: 2, text: `${name} runs as ${copies.join(', ')}: name one of them.` };
    if (!part) return { code: 2, text: `There is no part "${name ?? ''}". The parts: ${names}` };
    if (verb === 'stop') {
      await part.stop();
      return { code: 0, text: `${name} is stopped.` };
    }
    if (verb === 'wipe') {
      if (!withData.includes(part.name)) return { code: 2, text: `${name} has no data.` };
      const hadEnded = part.status().state === 'stopped';
      await part.stop();
      wipe?.(part.name);
      if (!hadEnded) part.start();
      return { code: 0, text: `${name} has lost its data${hadEnded ? '' : ', and starts without'}.` };
    }
    if (verb === 'kill') {
      return part.kill()
        ? { code: 0, text: `${name} is killed and will restart.` }
        : { code: 1, text: `${name} does not run.` };
    }
    if (part.status().state !== 'stopped') return { code: 0, text: `${name} already runs.` };
    const why = await blocked(part.name);
    if (why) return { code: 1, text: why };
    part.start();
    return { code: 0, text: `${name} is started.` };
  };
}

function table(statuses: Status[]): string {
  const rows = [
    ['part', 'state', 'process', 'restarts', 'up since'],
    ...statuses.map(({ name, state, pid, restarts, since }) => [
      name,
      state,
      String(pid ?? '–'),
      String(restarts),
      since?.toTimeString().slice(0, 8) ?? '–',
    ]),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
