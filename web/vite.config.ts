import { defineConfig, type Plugin } from 'vite'

/** Puts boot.ts on the page, before the app: scripts run in their order, and it needs nothing of that. */
const boot: Plugin = {
  name: 'boot',
  transformIndexHtml: {
    order: 'post',
    handler(page, { bundle = {} }) {
      const isBoot = (id: string): boolean => id.endsWith('/src/boot.ts')
      const file = Object.values(bundle).find((one) => one.type === 'chunk' && one.moduleIds.some(isBoot))
      if (!file) throw new Error('boot.ts is in no file of the build')
      return page.replace(
        '<script ',
        `<script type="module" crossorigin src="/${file.fileName}"></script>\n    <script `,
      )
    },
  },
  apply: 'build',
}

export default defineConfig({
  plugins: [boot],
  build: {
    // The budgets are checked by what is loaded when: test/budget.test.ts.
    manifest: true,
    // An inlined file would be a data: address, which the content security policy forbids for all but images.
    assetsInlineLimit: 0,
    target: 'es2023',
    // The browsers below preload modules by themselves.
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: ['index.html', 'src/boot.ts'],
      output: {
        // What a first visit needs in few files: a browser fetches six at a time. Left to itself the bundler makes one for each combination of
        // pages that share something, 35 for a page.
        codeSplitting: {
          includeDependenciesRecursively: false,
          groups: [
            {
              name: 'boot',
              test: /(src\/(addresses|begun|boot|pages|renewal|words\/load)\.ts|preload-helper\.js)$/,
              priority: 2,
            },
            { name: 'app', tags: ['$initial'], test: (id) => !/(main\.tsx|index\.html)$/.test(id), priority: 1 },
            { name: 'parts', test: /\/web\/src\/(?!admin\/)/, minShareCount: 2 },
          ],
        },
      },
      // 'use client' of libraries is for servers.
      onwarn: (warning, warn) => (warning.code === 'MODULE_LEVEL_DIRECTIVE' ? undefined : warn(warning)),
    },
    cssTarget: ['chrome123', 'firefox128', 'safari17.5'],
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8080' } },
})
