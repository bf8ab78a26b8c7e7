import { photoPath } from '../../api/cases';
import { useSource } from '../parts/Keyed';

/** A picture of a case, small. */
export function Photo({ number, id, alt }: { number: string; id: string; alt: string }) {
  return (
    <img
      src={useSource(photoPath(number, id))}
      alt={alt}
      loading="lazy"
      {...(alt ? {} : { width: 40, height: 40 })}
    />
  );
}

/** The same, and the way to it in its full size. */
export function PhotoLink(photo: { number: string; id: string; alt: string }) {
  const path = photoPath(photo.number, photo.id);
  return (
    <a href={useSource(path) ?? path} target="_blank" rel="noreferrer">
      <Photo {...photo} />
    </a>
  );
}
