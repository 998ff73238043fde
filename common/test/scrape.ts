// Parses `GET /metrics` as Prometheus does.
import { text } from 'node:stream/consumers';

type Sample = { name: string; labels: Record<string, string>; value: number };

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)",?/g;

/** The process metrics of prom-client, with its names. Their series come and go with the process's activity. */
const PROCESS = /^(nodejs|process)_/;

/** Our own metrics are in base units, which their names end with (prometheus.io/docs/practices/naming). */
const UNITS = /_(seconds|bytes|events|works|readers|letters|copies|comments|state|degraded)$/;

export class Scrape {
  readonly type: string;
  readonly text: string;
  readonly samples: Sample[];
  #types = new Map<string, string>();
  #helped = new Set<string>();

  private constructor(type: string, text: string) {
    this.type = type;
    this.text = text;
    const lines = text.split('\n').filter((line) => line !== '');
    for (const line of lines) {
      const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
      if (kind === 'TYPE') this.#types.set(name, rest);
      if (kind === 'HELP') this.#helped.add(name);
    }
    this.samples = lines
      .filter((line) => !line.startsWith('#'))
      .map((line) => {
        const [, name = '', labels = '', value] = SAMPLE.exec(line) ?? [];
        const pairs = [...labels.matchAll(LABEL)].map(([, label = '', value = '']) => [label, value]);
        return { name, labels: Object.fromEntries(pairs), value: Number(value) };
      });
  }

  static async of(url: string): Promise<Scrape> {
    const answer = await fetch(`${url}/metrics`);
    if (!answer.ok || !answer.body) throw new Error(`GET /metrics was answered ${answer.status}`);
    return new Scrape(answer.headers.get('content-type') ?? '', await text(answer.body));
  }

  /** The one sample of this name with these labels; undefined if there is none. */
  value(name: string, labels: Record<string, string> = {}): number | undefined {
    const found = this.samples.filter(
      (sample) =>
        sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    );
    if (found.length > 1) throw new Error(`${found.length} samples are ${name} ${JSON.stringify(labels)}`);
    return found[0]?.value;
  }

  /** All series of our own metrics, whatever their value; the buckets of a histogram count as one. */
  get series(): string[] {
    const own = this.samples.filter(({ name }) => !PROCESS.test(name));
    const names = own.map(({ name, labels: { le, ...labels } }) => `${name} ${JSON.stringify(labels)}`);
    return [...new Set(names)].sort();
  }

  /** Violations of the rules of names and types, in short sentences. */
  get violations(): string[] {
    return this.samples.flatMap(({ name, labels, value }) => {
      const family = this.#types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '');
      const type = this.#types.get(family) ?? '';
      const counts = type === 'counter';
      const isOwn = !PROCESS.test(name);
      return [
        ...(type && this.#helped.has(family) ? [] : [`${name} has no HELP or TYPE`]),
        ...(family === name || /histogram|summary/.test(type) ? [] : [`${name} is of a ${type}`]),
        ...(!isOwn || counts === /_total$/.test(family) ? [] : [`${family} is a ${type}`]),
        ...(!isOwn || counts || UNITS.test(family) ? [] : [`${family} has no unit`]),
        ...('quantile' in labels && type !== 'summary' ? [`${family} has a quantile`] : []),
        ...('le' in labels && type !== 'histogram' ? [`${family} has a bucket`] : []),
        ...(!isOwn || Number.isFinite(value) ? [] : [`${name} is ${value}`]),
      ];
    });
  }
}
