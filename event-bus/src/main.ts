// The process of the event bus.
import { startService } from '@blog/common/run/service.ts';
import { eventBus } from './app.ts';

await startService(eventBus);
