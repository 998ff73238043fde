import { resolve } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  // The page is one document: the gateway decides which addresses it answers.
  appType: 'custom',
  cacheDir: resolve(import.meta.dirname, '../node_modules/.vite'),
  plugins: [react()],
  // Named, so that nothing is found late and the page is not loaded twice.
  optimizeDeps: { include: ['axios', 'react', 'react-dom/client', 'react/jsx-runtime', 'react/jsx-dev-runtime'] },
  build: {
    target: 'baseline-widely-available',
    // A data: address would need a hole in the Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
