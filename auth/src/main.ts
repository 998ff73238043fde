// The process of the auth service.
import { startService } from '@blog/common/run/service.ts';
import { auth } from './app.ts';

await startService(auth);
