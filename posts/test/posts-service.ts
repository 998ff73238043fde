// Starts the posts service for tests.

import { LOOPBACK, type Origins } from '@blog/common/http/access.ts';
import { NO_BUS, newFolder, Service } from '../../common/test/service.ts';
import { createPosts } from '../src/app.ts';
import { migrations } from '../src/schema.ts';

/** The posts service, with or without a bus. */
export const startPosts = ({ busUrl = NO_BUS, folder = newFolder(), origins = LOOPBACK as Origins } = {}) =>
  new Service({ migrations, create: (part) => createPosts({ ...part, origins }) }, busUrl, folder).open();

export const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
