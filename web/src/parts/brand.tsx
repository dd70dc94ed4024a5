import { Link } from 'react-router'

export function Mark() {
  return (
    <svg className="mark" viewBox="0 0 32 32" aria-hidden="true">
      <g className="crowns">
        <circle cx="7.6" cy="12.6" r="4.9" />
        <circle cx="16.2" cy="7.6" r="5.8" />
        <circle cx="24.6" cy="14.8" r="4.5" />
      </g>
      <g className="trunks">
        <path d="M7.6 27V13M16.2 26V8M24.6 26.5V15.2" />
        <path d="M2.5 26.6c4.5 2.1 9 1.7 13.7.4s9.2-1.4 13.3.4" />
      </g>
    </svg>
  )
}

export function Brand() {
  return (
    <Link className="brand" to="/" aria-label="Pando">
      <Mark />
      <span>Pando</span>
    </Link>
  )
}
