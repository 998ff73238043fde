// The moderation service and its openapi.yaml agree.

import { afterAll } from '@jest/globals';
import { keepsItsContract, takesEvents } from '../../common/test/contract-suite.ts';
import { NO_BUS, newFolder, removeFolders, Service } from '../../common/test/service.ts';
import { createModeration } from '../src/app.ts';
import { migrations } from '../src/schema.ts';

const create = (part: Omit<Parameters<typeof createModeration>[0], 'bannedWords'>) =>
  createModeration({ ...part, bannedWords: ['orange'] });

afterAll(removeFolders);

keepsItsContract('moderation', {
  start: (token) => new Service({ migrations, create }, NO_BUS, newFolder(), token).open(),
  session: (ask) => takesEvents('moderation', ask),
});
