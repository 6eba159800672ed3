import { defineConfig } from 'vitest/config'

/** Files run in parallel workers; servers are shared through `test/support`, never started per file. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 240_000,
    passWithNoTests: false,
  },
})
