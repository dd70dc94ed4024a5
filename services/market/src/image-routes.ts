import multipart from '@fastify/multipart'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { isUuid, optionalUser, Problem, problems, requireUser } from '@pando/service'
import { Type } from 'typebox'
import { WIDTHS, type Width } from './image-processing.ts'
import { createPlaces, MAX_UPLOAD, refuseBody, receiveFile } from './image-upload.ts'
import type { Images } from './images.ts'
import { Image } from './post.ts'
import { byOf } from './routes.ts'

const Form = Type.Unsafe<unknown>({
  type: 'object',
  required: ['file'],
  properties: { file: { type: 'string', format: 'binary', description: 'JPEG, PNG or WebP, at most 10 MiB' } },
})
const WidthQuery = Type.Object({
  w: Type.Unsafe<Width>(Type.Integer({ enum: WIDTHS, default: WIDTHS.at(-1)! })),
})
const WebP = { description: 'OK', content: { 'image/webp': { schema: Type.Unsafe<unknown>({ format: 'binary' }) } } }

const Unchanged = Type.Unsafe<undefined>({ type: 'null', description: 'The client has it' })

export interface ImageRouteOptions {
  images: Images
  /** Uploads that may be under way, of all and of one user. */
  places?: { all: number; each: number }
}

export const imageRoutes: FastifyPluginAsyncTypebox<ImageRouteOptions> = async (
  app,
  { images, places: { all, each } = { all: 64, each: 24 } },
) => {
  // Nothing but multipart has a parser here: the rest is 415.
  app.removeAllContentTypeParsers()
  await app.register(multipart, { throwFileSizeLimit: false, limits: { fileSize: MAX_UPLOAD, fieldSize: 1024 } })
  const places = createPlaces({ all, each })

  app.post(
    '/api/images',
    {
      onRequest: requireUser,
      // The body is a stream, which cannot be compared with another.
      config: { idempotency: 'off' },
      // It is checked while it is read.
      validatorCompiler: () => () => true,
      schema: {
        summary: 'Upload an image',
        consumes: ['multipart/form-data'],
        body: Form,
        response: {
          201: Image,
          ...problems(
            'validation_failed',
            'unauthenticated',
            'conflict',
            'payload_too_large',
            'unsupported_media_type',
            'rate_limited',
            'unavailable',
          ),
        },
      },
    },
    async (request, reply) => {
      const owner = byOf(request)
      refuseBody(request)
      const leave = places.take(owner.userId)
      try {
        const image = await images.upload(owner, (path) => receiveFile(request, path))
        return await reply.code(201).header('location', `/api/images/${image.id}`).send(image)
      } finally {
        leave()
      }
    },
  )

  app.get(
    '/api/images/:id',
    {
      onRequest: optionalUser,
      schema: {
        summary: 'An image as WebP, no wider than asked for and never enlarged',
        params: Type.Object({ id: Type.String() }),
        querystring: WidthQuery,
        response: { 200: WebP, 304: Unchanged, ...problems('validation_failed', 'not_found', 'unavailable') },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const { w } = request.query
      const image = isUuid(id) ? await images.find(id, request.identity?.userId) : undefined
      if (!image) throw new Problem('not_found')
      // An image never changes. One that no post shows is for some alone, and may be for everybody the next time, or for others.
      const etag = `"${id}-${w}"`
      void reply.header('etag', etag)
      void reply.header('cache-control', image.isPublic ? 'public, max-age=31536000, immutable' : 'private, no-cache')
      if (isAmong(request.headers['if-none-match'], etag)) return reply.code(304).send(undefined)
      const file = await images.read(id, w)
      if (!file) throw new Problem('not_found')
      return reply.type('image/webp').header('content-length', file.size).send(file.stream)
    },
  )
}

// RFC 9110 §13.1.2
function isAmong(header: string | undefined, etag: string): boolean {
  const tags = header?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? []
  return tags.includes('*') || tags.includes(etag)
}
