import { defineConfig } from 'vitest/config'

/** What fails on two cores with three servers is run once more, and both runs are told. */
const onServers = {
  retry: 1,
  globalSetup: ['test/support/global-setup.ts'],
  testTimeout: 120_000,
  hookTimeout: 240_000,
}

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
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 60_000, sequence: { groupOrder: 0 } } },
      {
        test: {
          ...onServers,
          name: 'real',
          include: ['test/real/**/*.test.ts'],
          exclude: ['test/real/scenario/tour.test.ts'],
          sequence: { groupOrder: 1 },
        },
      },
      // The tour compares what a person sees, moment by moment: it has the machine to itself.
      {
        test: { ...onServers, name: 'tour', include: ['test/real/scenario/tour.test.ts'], sequence: { groupOrder: 2 } },
      },
    ],
  },
})
