// Sends requests for a test from the network namespace in which this process runs.
import { request } from './http.ts';

/** A request that gets no answer is answered with status 0. */
process.on('message', async ({ id, url, options }: { id: number; url: string; options: object }) => {
  const answer = await request(url, options).then(
    ({ status, body }) => ({ status, body }),
    (error) => ({ status: 0, body: error.message }),
  );
  process.send?.({ id, answer });
});
process.once('disconnect', () => process.exit());
