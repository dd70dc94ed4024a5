import { randomUUIDv7 } from 'node:crypto'
import {
  chatMemberRefused,
  chatMemberRestored,
  chatMemberSuspended,
  customerWalletClosed,
  customerWalletCloseRefused,
  customerWalletReopened,
  marketSellerRefused,
  marketSellerRestored,
  marketSellerWithdrawn,
  userDeleted,
  userDeletionRefused,
  userDeletionStarted,
  userSagaChanged,
} from '@pando/events'
import {
  append,
  type Database,
  defineSaga,
  forgetSagas,
  type SagaHooks,
  type Sagas,
  type SagaView,
  transaction,
} from '@pando/saga'
import { Problem } from '@pando/service'
import { passwordHashOf } from './accounts.ts'
import type { Passwords } from './passwords.ts'

/** Somebody leaves: everybody suspends what is theirs, which can be undone; only when all have done so is anything removed. */
export const accountDeletion = defineSaga({
  type: 'account-deletion',
  starts: userDeletionStarted,
  deadlineMs: 30_000,
  own: 'user',
  steps: {
    chat: { done: chatMemberSuspended, failed: chatMemberRefused, undone: chatMemberRestored },
    customer: { done: customerWalletClosed, failed: customerWalletCloseRefused, undone: customerWalletReopened },
    market: { done: marketSellerWithdrawn, failed: marketSellerRefused, undone: marketSellerRestored },
  },
  completes: userDeleted,
  fails: userDeletionRefused,
})

/** What the user service does itself when a deletion goes on, and when it ends. */
export const accountDeletionHooks: SagaHooks = {
  emits: [userSagaChanged],
  changed(sagas, tx) {
    for (const { view, ownerId } of sagas)
      append(tx, userSagaChanged({ userId: ownerId!, saga: view }), { sagaType: view.type, sagaId: view.id })
  },
  async completed(sagas, tx) {
    // Sessions and refresh tokens go with the account; so does its sign-up, which tells the names.
    const gone = await tx.query<{ signUp: string }>(
      'delete from users.account where id = any($1::uuid[]) returning sign_up_saga_id as "signUp"',
      [sagas.map(({ ownerId }) => ownerId)],
    )
    forgetSagas(
      tx,
      gone.map(({ signUp }) => signUp),
    )
  },
  async failed(sagas, tx) {
    tx.send(`update users.account set status = 'active', deletion_saga_id = null where id = any($1::uuid[])`, [
      sagas.map(({ ownerId }) => ownerId),
    ])
  },
}

/**
 * Starts the deletion of an account, or finds the one that runs. Throws forbidden for a wrong password, unauthenticated when the
 * account is gone.
 */
export async function deleteAccount(
  { db, sagas, passwords }: { db: Database; sagas: Sagas; passwords: Passwords },
  { userId, password, traceparent }: { userId: string; password: string; traceparent?: string | undefined },
): Promise<SagaView> {
  const hash = await passwordHashOf(db, userId)
  if (hash === undefined) throw new Problem('unauthenticated')
  if (!(await passwords.verify(hash, password))) throw new Problem('forbidden', { detail: 'The password is wrong.' })
  const id = randomUUIDv7()
  const started = await transaction(db, async (tx) => {
    const [account] = await tx.query<{ runningId: string | null }>(
      `select deletion_saga_id as "runningId" from users.account where id = $1 and status <> 'pending' for update`,
      [userId],
    )
    if (!account) throw new Problem('unauthenticated')
    if (account.runningId !== null) return account.runningId
    tx.send(`update users.account set status = 'deleting', deletion_saga_id = $2 where id = $1`, [userId, id])
    return sagas.start(tx, accountDeletion, [{ id, ownerId: userId, data: { userId }, traceparent }])[0]!
  })
  if (typeof started !== 'string') return started
  // It may have ended meanwhile, but it is still there.
  return (await sagas.find(accountDeletion.type, started))!.view
}
