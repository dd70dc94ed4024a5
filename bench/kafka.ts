import { startKafka } from '../tools/kafka/broker.ts'
import { missingForKafka } from '../tools/kafka/jars.ts'
import { library } from './library.ts'
import { remove, temporaryFolder } from './pando.ts'
import type { Row } from './row.ts'

/** The sign-up saga through a real Kafka on the same cores, beside the PostgreSQL log. */
export async function kafka(clusterUrl: string): Promise<Row[]> {
  const missing = missingForKafka()
  if (missing !== undefined) {
    console.error(`skipped: kafka (${missing})`)
    return []
  }
  const folder = await temporaryFolder()
  const broker = await startKafka({ dataDir: folder })
  try {
    return await library(clusterUrl, ['kafka', 'postgres'], broker.brokers.split(','))
  } finally {
    await broker.stop()
    await remove(folder)
  }
}
