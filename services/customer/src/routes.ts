import {
  decodeCursor,
  encodeCursor,
  listOf,
  ListQuery,
  Problem,
  problems,
  requireUser,
  Time,
  userOf,
} from '@pando/service'
import type { Database } from '@pando/saga'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { movements } from './ledger.ts'
import { balanceOf } from './wallets.ts'

const Entry = Type.Object({ id: Type.Integer(), kind: Type.String(), amount: Type.Integer(), createdAt: Time })
const Wallet = Type.Object(
  { balance: Type.Integer(), currency: Type.Literal('KRW'), entries: listOf(Entry) },
  { title: 'Wallet' },
)

export const routes: FastifyPluginAsyncTypebox<{ db: Database }> = async (app, { db }) => {
  app.get(
    '/api/me/wallet',
    {
      onRequest: requireUser,
      schema: {
        summary: "One's wallet",
        querystring: ListQuery,
        response: { 200: Wallet, ...problems('unauthenticated', 'validation_failed') },
      },
    },
    async (request) => {
      const { userId } = userOf(request)
      const { cursor, limit } = request.query
      const before = cursor === undefined ? undefined : decodeCursor(cursor, isEntryId)
      const [balance, found] = await Promise.all([balanceOf(db, userId), movements(db, userId, before, limit + 1)])
      if (balance === undefined) throw new Problem('unauthenticated')
      const items = found.slice(0, limit).map((entry) => ({ ...entry, createdAt: entry.createdAt.toISOString() }))
      const next = found.length > limit ? encodeCursor(items.at(-1)!.id) : null
      return { balance, currency: 'KRW' as const, entries: { items, next } }
    },
  )
}

const isEntryId = (value: unknown): value is number => Number.isSafeInteger(value)
