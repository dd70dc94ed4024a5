import { defineConfig } from 'vite'

export default defineConfig({
  build: {
    // The budgets are checked by what is loaded when: test/budget.test.ts.
    manifest: true,
    // An inlined file would be a data: address, which the content security policy forbids for all but images.
    assetsInlineLimit: 0,
    target: 'es2023',
    // The browsers below preload modules by themselves.
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        // What a first visit needs in few files: a browser fetches six at a time. Left to itself the bundler makes one for each combination of
        // pages that share something, 35 for a page.
        codeSplitting: {
          includeDependenciesRecursively: false,
          groups: [
            { name: 'app', tags: ['$initial'], test: (id) => !/(main\.tsx|index\.html)$/.test(id), priority: 1 },
            { name: 'parts', test: /\/web\/src\/(parts|state|pages|styles)\//, minShareCount: 2 },
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
