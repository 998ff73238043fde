// A receiver of spans: the OpenTelemetry Protocol over HTTP, in JSON.
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

type Value = { stringValue?: string; intValue?: number | string; doubleValue?: number };
type Attribute = { key: string; value: Value };
type Wire = {
  resourceSpans: {
    resource: { attributes: Attribute[] };
    scopeSpans: { spans: (Omit<Span, 'service' | 'attributes'> & { attributes: Attribute[] })[] }[];
  }[];
};

export type Span = {
  /** The part that sent the span. */
  service: string;
  name: string;
  /** 2 server, 4 producer, 5 consumer. */
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: Record<string, string | number | undefined>;
  links?: { traceId: string; spanId: string }[];
  status: { code: number; message?: string };
};

const plain = (attributes: Attribute[]) =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue ?? value.doubleValue)]),
  );

/** Receives spans; `answer` decides the response, by default a success. */
export async function startReceiver(port = 0) {
  const receiver = {
    spans: [] as Span[],
    requests: 0,
    answer: undefined as RequestListener | undefined,
    url: '',
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const server = createServer(async (req, res) => {
    receiver.requests += 1;
    if (receiver.answer) return receiver.answer(req, res);
    const { resourceSpans } = (await json(req)) as Wire;
    for (const { resource, scopeSpans } of resourceSpans)
      for (const span of scopeSpans.flatMap(({ spans }) => spans))
        receiver.spans.push({
          ...span,
          service: String(plain(resource.attributes)['service.name']),
          attributes: plain(span.attributes),
        });
    res.setHeader('content-type', 'application/json').end('{}');
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return receiver;
}
