// Where hair grows, from the place `r` of a point on the resting head. Shared by both stages.
uniform vec4 hair;      // how thick on top, how thick at the sides, height of the hairline, how uneven its edge
uniform vec4 beard;     // how thick, how dense 0 to 1, how far up the cheeks, moustache 0 to 1

float hash(vec3 p) {
    p = fract(p * vec3(0.1031, 0.1030, 0.0973));
    p += dot(p, p.yxz + 33.33);
    return fract((p.x + p.y) * p.z);
}

float noise(vec3 p) {
    vec3 i = floor(p), f = fract(p);
    f = f * f * (3.0 - 2.0 * f);
    vec2 o = vec2(0.0, 1.0);
    return mix(mix(mix(hash(i + o.xxx), hash(i + o.yxx), f.x), mix(hash(i + o.xyx), hash(i + o.yyx), f.x), f.y),
               mix(mix(hash(i + o.xxy), hash(i + o.yxy), f.x), mix(hash(i + o.xyy), hash(i + o.yyy), f.x), f.y), f.z);
}

float ear(vec3 r) {
    return step(7.15, abs(r.x)) * step(-2.6, r.y) * step(r.y, 3.75) * step(-2.9, r.z) * step(r.z, 2.1);
}

// The height of the hairline round the head: nape, behind the ear, over it, sideburn, temple, forehead.
float hairline(vec3 r) {
    float side = mix(-5.0, -3.6, smoothstep(-7.0, -3.0, r.z));
    side = mix(side, 3.6, smoothstep(-2.7, -1.9, r.z));
    side = mix(side, 0.6, smoothstep(1.3, 1.9, r.z));
    side = mix(side, 5.6, smoothstep(2.7, 3.9, r.z));
    float front = hair.z - 0.028 * r.x * r.x - 0.0008 * r.x * r.x * r.x * r.x;
    return mix(side, front, smoothstep(3.6, 6.4, r.z));
}

float scalp(vec3 r) {
    float uneven = hair.w * (noise(r * 2.3) - 0.5) * smoothstep(2.0, 6.0, r.z);
    return smoothstep(-0.25, 0.25, r.y - hairline(r) + uneven) * (1.0 - ear(r));
}

float bearded(vec3 r) {
    float a = abs(r.x), uneven = 0.45 * (noise(r * 3.1) - 0.5);
    float cheek = mix(-5.6 + 1.2 * beard.z, -2.4 + 2.2 * beard.z, smoothstep(2.2, 5.5, a)) + smoothstep(5.8, 7.4, a) * 3.6;
    float jaw = smoothstep(-0.5, 0.5, cheek - r.y + uneven) * smoothstep(-10.6, -9.2, r.y) * smoothstep(-1.0, 1.2, r.z);
    // The moustache falls from under the nose round the corners of the mouth.
    float over = -1.9 - 0.085 * a * a - 0.10 * max(a - 2.0, 0.0) * a;
    float lip = smoothstep(0.75, 0.45, abs(r.y - over + 0.25 * uneven) * mix(1.0, 0.75, smoothstep(1.0, 2.8, a)));
    lip *= smoothstep(3.3, 2.8, a + uneven) * smoothstep(0.05, 0.5, a + 0.3);
    float corner = smoothstep(0.65, 0.35, abs(a - 2.95 + 0.6 * uneven));
    corner *= smoothstep(-2.4, -3.0, r.y) * smoothstep(-6.5, -5.5, r.y);
    float free = smoothstep(0.0, 0.22, length(vec2(r.x / 2.75, (r.y + 3.5) / 1.15)) - 1.0);
    float whole = max(jaw, beard.w * max(lip, beard.z > -1.0 ? corner : 0.0));
    return whole * free * (1.0 - ear(r)) * smoothstep(-2.5, -1.5, r.z) * step(r.y, 3.0);
}
