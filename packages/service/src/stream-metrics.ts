import type { Hub } from '@pando/saga'
import { Counter, Gauge, type Registry } from 'prom-client'

/** Registers the figures of the process's open streams. Reading them walks over all streams, once. */
export function registerStreams(registry: Registry, hub: Hub): void {
  const registers = [registry]
  const gauge = (name: string, help: string, collect?: () => void) => {
    const config = { name, help, registers }
    return new Gauge(collect ? { ...config, collect } : config)
  }
  // The first of them reads for all: they are asked in the order of their making.
  const open = gauge('pando_streams_open', 'Open streams', () => {
    const stats = hub.stats()
    open.set(stats.open)
    catching.set(stats.catching)
    lagging.set(stats.lagging)
    buffered.set(stats.buffered)
    reads.set(stats.queued)
    writes.reset()
    writes.inc(stats.written)
  })
  const catching = gauge('pando_streams_catching', 'Streams that read from the database what they missed')
  const lagging = gauge('pando_streams_lagging', 'Streams whose clients do not read')
  const buffered = gauge('pando_streams_buffered_bytes', 'Bytes that clients have not taken yet')
  const reads = gauge('pando_streams_waiting_reads', 'Streams that wait for their turn to read from the database')
  const writes = new Counter({ name: 'pando_streams_writes_total', help: 'Pieces written to streams', registers })
}
