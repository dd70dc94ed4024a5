import { transportConformance } from '../src/conformance.ts'
import { createPostgresTransport } from '../src/postgres.ts'
import { testDatabase } from '../../../test/support/postgres.ts'

transportConformance({
  name: 'PostgreSQL',
  async open() {
    const hooks: (() => Promise<void>)[] = []
    const db = await testDatabase({ after: (hook) => void hooks.push(hook) })
    const transport = await createPostgresTransport({ db })
    return {
      transport,
      another: () => createPostgresTransport({ db }),
      async close() {
        await transport.close()
        for (const hook of hooks) await hook()
      },
    }
  },
})
