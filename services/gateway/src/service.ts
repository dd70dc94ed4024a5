export { page } from './page.ts'
export { proxy, type Upstream } from './proxy.ts'
export { remoteAdmin } from './remote-admin.ts'
