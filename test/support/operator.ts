// The operator of a Pando under test, who does what the documents tell an operator to do.
import { createAdminClient, Refusal } from '../../tools/admin-client.ts'

/** The environment of a Pando that has this operator. */
export const OPERATOR = { ADMIN_USERNAME: 'root.admin', ADMIN_PASSWORD: 'the admin has a long password' }

/** What this operator logs in with. */
export const operator = { username: OPERATOR.ADMIN_USERNAME, password: OPERATOR.ADMIN_PASSWORD }

/** Redrives a parked key at the Pando that answers at `url`; that it is no longer parked, or that nobody answers yet, is left to the next call. */
export const redriveAt =
  (url: () => string) =>
  async (service: string, key: string): Promise<void> => {
    try {
      const client = await createAdminClient(url(), operator)
      try {
        await client.post(`/api/admin/parked/${encodeURIComponent(service)}/${encodeURIComponent(key)}/redrive`)
      } finally {
        await client.close()
      }
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown
    }
  }
