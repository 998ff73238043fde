// Starts the comments service for tests.

import { LOOPBACK } from '@blog/common/http/access.ts';
import { NO_BUS, newFolder, Service } from '../../common/test/service.ts';
import { createComments } from '../src/app.ts';
import { migrations } from '../src/schema.ts';

/** The comments service, with or without a bus. */
export const startComments = ({ busUrl = NO_BUS, folder = newFolder() } = {}) =>
  new Service({ migrations, create: (part) => createComments({ ...part, origins: LOOPBACK }) }, busUrl, folder).open();

export const postCreated = (id: string) => ({ type: 'PostCreated', data: { id, title: 't' } });
