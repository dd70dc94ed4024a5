import { transportConformance } from '../src/conformance.ts'
import { createMemoryLog, createMemoryTransport } from '../src/memory.ts'

transportConformance({
  name: 'memory',
  async open() {
    const shared = createMemoryLog()
    const transport = createMemoryTransport({ shared })
    return { transport, another: async () => createMemoryTransport({ shared }), close: () => transport.close() }
  },
})
