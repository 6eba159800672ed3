import { defineConfig } from 'vitest/config'

/**
 * `unit` needs no server. `real` starts one Kubernetes API server and two PostgreSQL servers for the whole run and
 * hands out their addresses (`test/support/servers.ts`); a test makes names of its own and shares them.
 */
export default defineConfig({
  test: {
    passWithNoTests: false,
    // The tests on servers mostly wait, so more of them run at once than there are cores.
    maxWorkers: 3,
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 60_000 } },
      {
        test: {
          name: 'real',
          include: ['test/real/**/*.test.ts'],
          // On two cores with three servers a wait may be too short: what fails is run once more, and both runs are told.
          retry: 1,
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 240_000,
        },
      },
    ],
  },
})
