// Forwarding: answers of a copy of the bus that led when it was asked.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import express from 'express';
import { forwarding } from '../src/quorum/forward.ts';

test('an answer that was made while this copy led does not leave when it leads no more', async () => {
  const leadership = { leads: true, leader: undefined };
  const app = express().use(forwarding(leadership, () => undefined));
  app.get('/events', (req, res) => {
    // As a process that is stopped between the question and the answer, and woken.
    leadership.leads = req.query.stopped === undefined;
    res.json([]);
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`;
  try {
    expect((await fetch(url, { method: 'HEAD' })).status).toBe(200);
    await expect(fetch(`${url}?stopped`, { method: 'HEAD' })).rejects.toThrow('fetch failed');
  } finally {
    server.close();
  }
});
