// Node strips the types of server code itself; only the page's .tsx needs a transform.
const node = { transform: {}, extensionsToTreatAsEsm: ['.ts'], testEnvironment: 'node' };
const part = (name) => ({
  ...node,
  displayName: name,
  rootDir: `./${name}`,
  testMatch: ['<rootDir>/test/**/*.test.ts'],
});

export default {
  projects: [
    ...['common', 'posts', 'comments', 'query', 'moderation', 'event-bus', 'scripts', 'infra'].map(part),
    {
      displayName: 'client',
      rootDir: './client',
      testEnvironment: 'jsdom',
      extensionsToTreatAsEsm: ['.ts', '.tsx'],
      testMatch: ['<rootDir>/test/**/*.test.tsx'],
      transform: {
        '\\.tsx?$': [
          '@swc/jest',
          { jsc: { transform: { react: { runtime: 'automatic' } }, experimental: { keepImportAttributes: true } } },
        ],
      },
      moduleNameMapper: { '\\.css$': '<rootDir>/test/empty.css.ts' },
    },
    { ...node, displayName: 'e2e', rootDir: './e2e', testMatch: ['<rootDir>/**/*.test.ts'] },
  ],
  testTimeout: 60_000,
};
