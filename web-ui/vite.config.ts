import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

// The page is served by the node itself: `npm run build` writes it into the Python package,
// and `npm run dev` sends everything that is not the page to a node on this machine.
const node = process.env.CITYLOOM_NODE ?? 'http://127.0.0.1:8026';
const apis = ['/city', '/map', '/ogc', '/events', '/ngsi-ld', '/sources', '/lineage', '/health'];

const out = '../src/cityloom/web/static';

/** The map's code is asked for together with the page's own, not after it. */
const mapAhead: Plugin = {
  name: 'map-ahead',
  transformIndexHtml: {
    order: 'post',
    handler(_html, { bundle }) {
      return Object.values(bundle ?? {}).flatMap((file) =>
        file.type === 'chunk' && file.facadeModuleId?.endsWith('/src/map/view.ts')
          ? [
              {
                tag: 'link',
                attrs: { rel: 'modulepreload', crossorigin: true, href: `/${file.fileName}` },
                injectTo: 'head' as const,
              },
            ]
          : [],
      );
    },
  },
};

/** Code and styles lie there compressed too: the node sends them so to whoever takes it. */
const compressed: Plugin = {
  name: 'compressed',
  closeBundle() {
    const folder = join(import.meta.dirname, out, 'assets');
    for (const name of readdirSync(folder).filter((each) => /\.(m?js|css|svg)$/.test(each))) {
      const file = join(folder, name);
      writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: 9 }));
    }
  },
};

export default defineConfig({
  plugins: [mapAhead, compressed],
  build: {
    outDir: out,
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
