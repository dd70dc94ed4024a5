export * from './chat.ts'
export * from './customer.ts'
export * from './market.ts'
export * from './user.ts'
