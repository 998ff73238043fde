import { SERVERS } from './common/src/run/parts.ts';

// Node strips the types of server code itself; only the page's .tsx needs a transform.
const node = { transform: {}, extensionsToTreatAsEsm: ['.ts'], testEnvironment: 'node' };
// Patterns without <rootDir>: the folder's name, a [ in it for example, would be read as a part of the pattern.
const part = (name) => ({
  ...node,
  displayName: name,
  rootDir: `./${name}`,
  testMatch: ['**/test/**/*.test.ts'],
});

export default {
  projects: [
    ...['common', ...SERVERS, 'auth', 'scripts', 'infra', 'bench', 'lessons'].map(part),
    {
      displayName: 'client',
      rootDir: './client',
      testEnvironment: 'jsdom',
      extensionsToTreatAsEsm: ['.ts', '.tsx'],
      testMatch: ['**/test/**/*.test.tsx'],
      transform: {
        '\\.tsx?$': [
          '@swc/jest',
          { jsc: { transform: { react: { runtime: 'automatic' } }, experimental: { keepImportAttributes: true } } },
        ],
      },
      moduleNameMapper: { '\\.css$': '<rootDir>/test/empty.css.ts' },
    },
    { ...node, displayName: 'e2e', rootDir: './e2e', testMatch: ['**/*.test.ts'] },
  ],
  testSequencer: './jest.sequencer.js',
  // Ends a test that hangs, also on a slow machine that does much else; no test measures time.
  testTimeout: 300_000,
};
