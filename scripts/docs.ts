// `npm run docs`: writes docs/api.md, made from the contracts.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiDocs } from './api-docs.ts';
import { root } from './parts.ts';

writeFileSync(join(root, 'docs/api.md'), apiDocs());
