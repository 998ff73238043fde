// The moderation service and its openapi.yaml agree.

import { afterAll } from '@jest/globals';
import { keepsItsContract, takesEvents } from '../../common/test/contract-suite.ts';
import { defined, NO_BUS, newFolder, removeFolders, Service } from '../../common/test/service.ts';
import { moderation } from '../src/app.ts';

afterAll(removeFolders);

keepsItsContract('moderation', {
  start: (token) => new Service(defined(moderation), NO_BUS, newFolder(), token).open(),
  session: (ask) => takesEvents('moderation', ask),
});
