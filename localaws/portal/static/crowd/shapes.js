// The picture elements by the shape that they ask for.

import { Annotator } from './drawing.js';

export class CrowdBoundingBox extends Annotator {
  get key() {
    return 'boundingBoxes';
  }

  get closed() {
    return true;
  }

  outline(vertices, colour, thin, done) {
    if (vertices.length < 2) return super.outline(vertices, colour, thin, done);
    const [a, b] = vertices;
    return super.outline([a, { x: b.x, y: a.y }, b, { x: a.x, y: b.y }], colour, thin, done);
  }

  told({ label, vertices: [a, b] }) {
    return {
      height: Math.abs(a.y - b.y), label, left: Math.min(a.x, b.x), top: Math.min(a.y, b.y), width: Math.abs(a.x - b.x),
    };
  }

  heard({ label, left, top, width, height }) {
    return { label: label ?? '', vertices: [{ x: left, y: top }, { x: left + width, y: top + height }] };
  }
}

export class CrowdKeypoint extends Annotator {
  get key() {
    return 'keypoints';
  }

  get corners() {
    return 1;
  }

  told({ label, vertices: [{ x, y }] }) {
    return { label, x, y };
  }

  heard({ label, x, y }) {
    return { label: label ?? '', vertices: [{ x, y }] };
  }
}

export class CrowdLine extends Annotator {
  get key() {
    return 'lines';
  }
}

export class CrowdPolyline extends Annotator {
  get key() {
    return 'polylines';
  }

  get corners() {
    return Infinity;
  }
}

export class CrowdPolygon extends CrowdPolyline {
  get key() {
    return 'polygons';
  }

  get closed() {
    return true;
  }

  get least() {
    return 3;
  }
}

// Segmentation is drawn as polygons and answered as a picture of which each colour is a label or an instance.
class Segmentation extends CrowdPolygon {
  colourOf() {
    return '#000000';
  }

  image() {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [this.size.width, this.size.height];
    const brush = canvas.getContext('2d');
    this.shapes.forEach((shape, index) => {
      brush.fillStyle = this.colourOf(shape, index);
      brush.beginPath();
      shape.vertices.forEach(({ x, y }) => brush.lineTo(x, y));
      brush.closePath();
      brush.fill();
    });
    return { pngImageData: canvas.toDataURL('image/png').split(',')[1] };
  }

  answer() {
    if (!this.size) return undefined;
    return { inputImageProperties: { height: this.size.height, width: this.size.width }, labeledImage: this.image(), ...this.legend() };
  }

  // No polygon can be read back from a picture: a draft has the corners in its place.
  draft() {
    return this.size ? { polygons: this.shapes } : undefined;
  }
}

export class CrowdSemanticSegmentation extends Segmentation {
  colourOf(shape) {
    return this.palette.colour(shape.label);
  }

  legend() {
    const used = [...new Set(this.shapes.map((shape) => shape.label))];
    return { labelMappings: Object.fromEntries(used.map((label) => [label, { color: this.palette.colour(label) }])) };
  }
}

export class CrowdInstanceSegmentation extends Segmentation {
  // Neighbouring hues of a full turn would be alike: the golden angle keeps instances apart.
  colourOf(shape, index) {
    const hue = (index * 137.508) % 360;
    const part = (offset) => {
      const k = (offset + hue / 30) % 12;
      return Math.round(255 * (0.5 - 0.35 * Math.max(-1, Math.min(k - 3, 9 - k, 1)))).toString(16).padStart(2, '0');
    };
    return `#${part(0)}${part(8)}${part(4)}`;
  }

  legend() {
    return { instances: this.shapes.map((shape, index) => ({ color: this.colourOf(shape, index), label: shape.label })) };
  }
}
