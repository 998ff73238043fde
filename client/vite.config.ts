// Builds the page with Vite.

import { resolve } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  // The page is one document, and the gateway decides which addresses serve it.
  appType: 'custom',
  cacheDir: resolve(import.meta.dirname, '../node_modules/.vite'),
  plugins: [react()],
  // axios sends with XMLHttpRequest; without its adapter for `fetch` the first load is 3 kB smaller.
  resolve: { alias: { './fetch.js': 'axios/unsafe/helpers/null.js' } },
  // Listed here, because a dependency that Vite discovers late makes it reload the page.
  optimizeDeps: {
    include: [
      ...['@tanstack/react-query', 'axios', 'wouter', 'wouter/use-browser-location'],
      ...['react', 'react-dom/client', 'react/jsx-runtime', 'react/jsx-dev-runtime'],
    ],
  },
  build: {
    target: 'baseline-widely-available',
    // A `data:` address would need an exception in the Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
