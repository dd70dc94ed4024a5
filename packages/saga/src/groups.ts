/** Values in groups, each by a key. */
export interface Groups<K, V> {
  /** Returns whether it is the first of this key. */
  add(key: K, value: V): boolean
  /** Returns whether it was the last of this key. */
  drop(key: K, value: V): boolean
  /** The values of a key; some may be added and dropped meanwhile. */
  of(key: K): Iterable<V>
  size(key: K): number
  /** How many keys have values. */
  readonly keys: number
}

/** Groups of which most have one value, which is kept without a set of its own: 150 bytes each (measured by `bench -- sse`). */
export function createGroups<K, V extends object>(): Groups<K, V> {
  const groups = new Map<K, V | Set<V>>()
  return {
    add(key, value) {
      const group = groups.get(key)
      if (group instanceof Set) group.add(value)
      else groups.set(key, group ? new Set<V>().add(group).add(value) : value)
      return !group
    },
    drop(key, value) {
      const group = groups.get(key)
      if (group instanceof Set) return group.delete(value) && group.size === 0 && groups.delete(key)
      return group === value && groups.delete(key)
    },
    of(key) {
      const group = groups.get(key)
      return group instanceof Set ? group : group ? [group] : []
    },
    size(key) {
      const group = groups.get(key)
      return group instanceof Set ? group.size : group ? 1 : 0
    },
    get keys() {
      return groups.size
    },
  }
}
