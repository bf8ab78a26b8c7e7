import { defineConfig } from 'vite';

// The page is served by the node itself: `npm run build` writes it into the Python package,
// and `npm run dev` sends everything that is not the page to a node on this machine.
const node = process.env.CITYLOOM_NODE ?? 'http://127.0.0.1:8026';
const apis = ['/city', '/map', '/events', '/ngsi-ld', '/sources', '/lineage', '/health'];

export default defineConfig({
  build: {
    outDir: '../src/cityloom/web/static',
    emptyOutDir: true,
    target: 'es2022',
    // No inlined data: addresses, so that a strict Content-Security-Policy holds.
    assetsInlineLimit: 0,
    // MapLibre alone is a megabyte; it is one file that browsers keep.
    chunkSizeWarningLimit: 1600,
    modulePreload: { polyfill: false },
    // What the built files owe to others goes with them, into the wheel too.
    license: { fileName: 'assets/licences.md' },
  },
  server: {
    proxy: Object.fromEntries(apis.map((path) => [path, node])),
  },
});
