// Starts the query service for tests.

import { LOOPBACK } from '@blog/common/http/access.ts';
import { NO_BUS, newFolder, Service } from '../../common/test/service.ts';
import { createQuery } from '../src/app.ts';
import { migrations } from '../src/schema.ts';

export const startQuery = (folder = newFolder()) =>
  new Service({ migrations, create: (part) => createQuery({ ...part, origins: LOOPBACK }) }, NO_BUS, folder).open();

export const post = (id: string, data: object = { title: `title of ${id}` }) => ({
  type: 'PostCreated',
  data: { id, ...data },
});
export const comment = (id: string, postId: string, data: object = { content: `content of ${id}` }) => ({
  type: 'CommentCreated',
  data: { id, postId, ...data },
});
export const updated = (id: string, postId: string, status: string, data: object = {}) => ({
  type: 'CommentUpdated',
  data: { id, postId, status, ...data },
});
