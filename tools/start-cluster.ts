import { once } from 'node:events'
import { type Config, loadConfig, type Logger, type Running, startEmbeddedPostgres } from '@pando/service'
import { SERVICE_NAMES } from '../pando.ts'
import { type Balancer, startBalancer } from './balancer.ts'
import { createInstance, type Instance } from './instance.ts'

export interface ClusterOptions {
  /** Processes of each service, and as many gateways. */
  instances: number
  /** As for one process. Its PORT and HOST are the cluster's; without DATABASE_URL there is an embedded PostgreSQL under its DATA_DIR. */
  env: Readonly<Record<string, string | undefined>>
  log: Logger
  /** Lines of the processes, each behind its name. */
  print: (line: string) => void
  /** Ends the start. */
  signal?: AbortSignal | undefined
}

/** Several processes of each service on this machine. `url` is a balancer in front of the gateways. */
export interface Cluster extends Running {
  /** Of the gateways that answer at the moment. */
  readonly gateways: readonly string[]
  /** `user.1`, `user.2`, …, `gateway.1`, … */
  readonly instances: readonly Pick<Instance, 'name' | 'service' | 'pid' | 'url'>[]
  /** SIGKILL; resolves when it is gone. It comes back by itself. Throws for a name that there is not. */
  kill(name: string): Promise<void>
  /** Drains one and starts it again; resolves when requests go to it. */
  restart(name: string): Promise<void>
  /** Restarts all: the first of each service and the first gateway together, then the second ones, … */
  rolling(): Promise<void>
}

/**
 * Starts them all; resolves when all are ready. Each service has a balancer of its own, which the others know as its address.
 * When one cannot be started all are stopped, and it throws a StartError.
 */
export async function startCluster({ instances: count, env, log, print, signal }: ClusterOptions): Promise<Cluster> {
  const config = loadConfig(env)
  const postgres =
    config.databaseUrl === undefined ? await startEmbeddedPostgres({ dataDir: config.dataDir, log }) : undefined
  const balancers = new Map<string, Balancer>()
  const instances: Instance[] = []
  let stopping: Promise<void> | undefined
  const stop = (): Promise<void> => (stopping ??= end())

  async function end(): Promise<void> {
    await Promise.all(instances.map((one) => one.stop()))
    await Promise.all([...balancers.values()].map((one) => one.stop()))
    await postgres?.stop()
  }

  try {
    for (const service of SERVICE_NAMES) balancers.set(service, await startBalancer())
    const front = await startBalancer({ port: config.port, host: config.host })
    balancers.set('gateway', front)
    const urls = SERVICE_NAMES.map((service) => [
      `${service.toUpperCase()}_URL`,
      `http://127.0.0.1:${balancers.get(service)!.port}`,
    ])
    const shared = {
      PUBLIC_ORIGIN: origins(config, front.port, count).join(),
      ...env,
      ...Object.fromEntries(urls),
      HOST: '127.0.0.1',
      METRICS_PORT: config.metricsPort === 'off' ? 'off' : '0',
      DATABASE_URL: config.databaseUrl ?? postgres!.url,
    }
    for (const service of [...SERVICE_NAMES, 'gateway'])
      for (let i = 1; i <= count; i++) {
        const name = `${service}.${i}`
        const port = service === 'gateway' ? gatewayPort(config, i) : 0
        instances.push(
          createInstance({
            name,
            service,
            env: { ...shared, PORT: String(port) },
            print: (line) => print(`${name} | ${line}`),
            onUrl: (url) => balancers.get(service)!.place(name, url),
          }),
        )
      }
    const isReady = ({ name, service }: Instance): Promise<void> => balancers.get(service)!.ready(name)
    const find = (name: string): Instance => {
      const found = instances.find((one) => one.name === name)
      if (!found) throw new Error(`there is no instance "${name}", only ${instances.map((one) => one.name).join(', ')}`)
      return found
    }
    const restart = async (name: string): Promise<void> => {
      await find(name).restart()
      await isReady(find(name))
    }

    signal?.throwIfAborted()
    const start = (some: Instance[]): Promise<unknown> =>
      Promise.all(some.map((one) => one.start().then(() => isReady(one))))
    const interrupted = signal && once(signal, 'abort').then(() => signal.throwIfAborted())
    // A gateway that misses services would only complain of it.
    const started = start(instances.filter(({ service }) => service !== 'gateway')).then(() =>
      start(instances.filter(({ service }) => service === 'gateway')),
    )
    await Promise.race([started, ...(interrupted ? [interrupted] : [])])
    return {
      url: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${front.port}`,
      get gateways() {
        return instances.flatMap(({ service, url }) => (service === 'gateway' && url ? [url.origin] : []))
      },
      instances,
      kill: (name) => find(name).kill(),
      restart,
      async rolling() {
        for (let i = 1; i <= count; i++)
          await Promise.all([...balancers.keys()].map((service) => restart(`${service}.${i}`)))
      },
      stop,
    }
  } catch (thrown) {
    await stop()
    throw thrown
  }
}

/** The ports behind the balancer's; free ones when that is a free one. */
const gatewayPort = ({ port }: Config, i: number): number => (port === 0 ? 0 : port + i)

/** From where browsers may send cookies: through the balancer, or straight to a gateway whose port is known. */
function origins(config: Config, port: number, count: number): string[] {
  const ports = [port, ...Array.from({ length: count }, (_, i) => gatewayPort(config, i + 1))].filter((one) => one > 0)
  const hosts = new Set(['127.0.0.1', 'localhost', config.host.includes(':') ? `[${config.host}]` : config.host])
  return [...hosts].flatMap((host) => ports.map((one) => `http://${host}:${one}`))
}
