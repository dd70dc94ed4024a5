export { proxy, type Upstream } from './proxy.ts'
export { remoteAdmin } from './remote-admin.ts'
export { web } from './web.ts'
