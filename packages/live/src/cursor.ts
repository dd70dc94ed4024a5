/** A place in a stream: after the event with this seq. Seqs of one epoch are dense. */
export interface Cursor {
  epoch: string
  seq: number
}

const CURSOR = /^([0-9a-z]{1,32})-(0|[1-9][0-9]{0,15})$/

/** The place that an id names; undefined when it is no such id. */
export function parseCursor(id: string | undefined | null): Cursor | undefined {
  const [, epoch, seq] = CURSOR.exec(id ?? '') ?? []
  return epoch === undefined ? undefined : { epoch, seq: Number(seq) }
}
