// The colour of a point of the head, in linear light: skin, lips, brows, hair, gums, teeth, eyes, lashes.
in vec3 seen;
in vec3 facing;
in vec3 kept;
in vec3 outward;
uniform int surface;
uniform vec3 sun;            // where the main light comes from
uniform vec3 sun_colour;
uniform vec3 fill;           // where the second light comes from
uniform vec3 fill_colour;
uniform vec3 above_colour;   // light from above and from below
uniform vec3 below_colour;
uniform vec3 skin_colour;
uniform vec3 lip_colour;
uniform vec3 hair_colour;
uniform vec3 brow_colour;
uniform vec3 iris_colour;
uniform vec3 shirt_colour;
uniform vec4 complexion;     // redness, freckles, shine, age: 0 to 1
uniform vec4 brow;           // height, arch, thickness, density
uniform vec2 pupil;          // radius of pupil and iris, in radii of the eye
uniform float seed;
uniform float unit[UNITS];   // by AU_n, strengths 0 to 1
out vec4 light;

// Places are those of the resting face in centimetres: brows at y 5 to 6, eyes at 3.6, nose tip at 0, mouth at -3.4,
// chin at -8; x to its left, z forwards.
float bell(vec2 at, vec2 wide) { return exp(-dot(at / wide, at / wide)); }
float line(float away, float wide) { return exp(-away * away / (wide * wide)); }

vec3 bumped(vec3 n, float height) {
    vec3 across = dFdx(seen), up = dFdy(seen);
    vec3 a = cross(up, n), b = cross(n, across);
    float area = dot(across, a);
    return normalize(abs(area) * n - sign(area) * (dFdx(height) * a + dFdy(height) * b));
}

vec3 lit(vec3 albedo, vec3 n, vec3 wrap, float gloss, float sharp) {
    vec3 eye = normalize(vec3(0.0, 0.0, 60.0) - seen);
    vec3 main_ = clamp((dot(n, sun) + wrap) / (1.0 + wrap), 0.0, 1.0);
    vec3 second = clamp((dot(n, fill) + wrap) / (1.0 + wrap), 0.0, 1.0);
    vec3 round_ = mix(below_colour, above_colour, 0.5 + 0.5 * n.y);
    vec3 sum = albedo * (sun_colour * main_ * main_.r + fill_colour * second + round_);
    float edge = pow(1.0 - max(dot(n, eye), 0.0), 4.0);
    float shine = pow(max(dot(n, normalize(sun + eye)), 0.0), sharp) * step(0.0, dot(n, sun));
    return sum + gloss * (sun_colour * shine * sharp / 16.0 + 0.35 * edge * round_);
}

// Folds that units make, dark and deep; a sum of lines in the plane of the resting face.
float folds(vec3 r) {
    float a = abs(r.x), up = max(unit[AU1], unit[AU2]), old = 0.25 * complexion.w, sum = 0.0;
    float bow = 0.05 * a * a * (unit[AU2] - unit[AU1]);
    for (int k = 0; k < 3; k++) {
        float y = 7.0 + 0.95 * float(k) + 0.25 * (noise(vec3(r.x, float(k) + seed, 0.0)) - 0.5);
        sum += (0.75 * up + 0.4 * old) * line(r.y - y - bow, 0.16) * smoothstep(4.6, 2.6, a * (1.0 - 0.25 * unit[AU2]));
    }
    float knit = unit[AU4] * (1.0 - 0.5 * unit[AU2]);
    sum += (1.1 * knit + 0.5 * old) * line(a - 0.55 - 0.10 * (r.y - 5.3), 0.16)
         * bell(vec2(0.0, r.y - 5.5), vec2(1.0, 0.85));
    sum += 0.5 * knit * line(r.y - 4.25, 0.15) * smoothstep(1.1, 0.4, a);
    float wrinkled = unit[AU9];
    for (int k = 0; k < 3; k++)
        sum += 0.9 * wrinkled * line(r.y - 3.9 + 0.75 * float(k) - 0.25 * a * a, 0.15) * smoothstep(1.5, 0.7, a);
    float crow = 0.75 * unit[AU6] + 0.15 * unit[AU12] + 0.5 * old;
    for (int k = -1; k <= 1; k++)
        sum += crow * line(r.y - 3.2 - float(k) * (0.30 + 0.24 * (a - 5.0)), 0.12) * smoothstep(4.95, 5.3, a)
             * smoothstep(6.9, 6.2, a);
    float bag = max(unit[AU6], 0.7 * unit[AU7]);
    float below = a - 3.1;
    sum += (0.55 * bag + 0.45 * old) * line(r.y - 2.35 - 0.12 * below * below, 0.16) * smoothstep(2.0, 1.2, abs(below));
    float cheek = 0.85 * unit[AU12] + 0.7 * unit[AU10] + 0.8 * unit[AU9] + 0.3 * unit[AU20] + 0.7 * old;
    float down = clamp((-0.6 - r.y) / 3.2, 0.0, 1.0);
    sum += min(cheek, 1.1) * line(a - 1.75 - 2.0 * down + 0.5 * down * down, 0.20)
         * smoothstep(-4.4, -3.0, r.y) * smoothstep(0.1, -0.7, r.y);
    float droop = unit[AU15] * 0.9 + 0.25 * old;
    sum += droop * line(a - 2.75 - 0.18 * (-3.7 - r.y), 0.18)
         * smoothstep(-5.6, -4.6, r.y) * smoothstep(-3.3, -3.8, r.y);
    sum += 0.8 * unit[AU17] * line(r.y + 5.15 + 0.12 * a * a, 0.22) * smoothstep(2.0, 1.0, a);
    sum += 0.6 * (unit[AU23] + unit[AU24]) * line(a - 2.75, 0.2) * bell(vec2(0.0, r.y + 3.5), vec2(1.0, 0.5));
    return sum * smoothstep(2.0, 5.0, r.z);
}

float brows(vec3 r) {
    float t = (abs(r.x) - 1.25) / 4.4;
    float bend = t < 0.62 ? (t - 0.62) / 0.62 : (t - 0.62) / 0.42;
    float middle = 4.95 + brow.x + brow.y * (1.0 - bend * bend);
    float half_ = brow.z * mix(1.0, 0.30, smoothstep(0.25, 1.0, t)) * smoothstep(-0.12, 0.15, t);
    float strand = 0.75 + 0.5 * noise(vec3(abs(r.x) * 5.0 - r.y * 2.0, (r.y + abs(r.x) * 0.6) * 9.0, seed));
    float cover = smoothstep(1.15, 0.55, abs(r.y - middle) / max(half_, 0.01));
    cover *= smoothstep(1.06, 0.94, t) * smoothstep(-0.08, 0.06, t);
    return clamp(cover * strand, 0.0, 1.0) * brow.w * step(5.0, r.z);
}

float lips(vec3 r) {
    float a = abs(r.x), s = a / 2.62;
    float top = -2.62 - 0.92 * pow(s, 1.6) - 0.16 * line(a, 0.35);
    float bottom = -4.52 + 0.95 * pow(s, 2.4);
    float between = smoothstep(-0.10, 0.10, top - r.y) * smoothstep(-0.12, 0.12, r.y - bottom);
    return between * smoothstep(1.04, 0.96, s) * step(8.0, r.z);
}

vec3 hairy(vec3 colour, vec3 n) {
    vec3 r = kept;
    float fine = noise(vec3(r.x * 6.0, r.y * 1.2, r.z * 6.0)) * 0.6 + noise(vec3(r.x * 14.0, r.y * 2.5, r.z * 14.0)) * 0.4;
    vec3 m = bumped(n, 0.10 * fine);
    vec3 c = colour * (0.55 + 0.9 * fine);
    float band = pow(max(0.0, 1.0 - abs(dot(normalize(sun + vec3(0.0, 0.0, 1.0)), m) - 0.93) * 9.0), 2.0);
    return lit(c, m, vec3(0.25), 0.0, 8.0) + band * (0.25 * colour + 0.02) * sun_colour;
}

vec3 skin(vec3 n) {
    vec3 r = kept;
    float a = abs(r.x);
    float collar = -13.6 + 0.35 * a - 0.0024 * a * a * a + 0.5 * smoothstep(0.0, -6.0, r.z);
    if (r.y < collar) return lit(shirt_colour * (0.85 + 0.3 * noise(r * 5.0)), n, vec3(0.2), 0.0, 8.0);
    float red = complexion.x, patches = noise(r * 0.9 + seed) - 0.5, pores = noise(r * 7.0) - 0.5;
    vec3 c = skin_colour * (1.0 + 0.10 * patches + 0.07 * pores);
    float flush = 0.55 * bell(vec2(a - 4.3, r.y + 0.3 - 0.5 * unit[AU6]), vec2(2.0, 1.7))
                + 0.55 * bell(vec2(r.x, r.y - 0.1), vec2(1.2, 1.2)) + 0.5 * ear(r);
    c *= mix(vec3(1.0), vec3(1.06, 0.78, 0.74), flush * (0.35 + 0.8 * red));
    float tired = bell(vec2(a - 3.0, r.y - 2.3), vec2(1.6, 0.55));
    c *= mix(vec3(1.0), vec3(0.78, 0.70, 0.74), tired * (0.30 + 0.5 * complexion.w));
    float spots = smoothstep(0.66, 0.80, noise(r * 4.5 + 3.0 * seed)) * bell(vec2(a - 2.6, r.y - 0.4), vec2(3.2, 1.7));
    c *= mix(vec3(1.0), vec3(0.80, 0.62, 0.50), spots * complexion.y);
    float shaved = beard.y * bearded(r);
    float fold = folds(r);
    float height = -0.10 * fold + 0.012 * pores;
    float mouth = lips(r);
    float chin = unit[AU17] * bell(vec2(r.x, r.y + 6.6), vec2(1.3, 0.9));
    height += 0.05 * chin * noise(r * 3.4) - 0.02 * mouth * noise(vec3(r.x * 6.0, r.y * 0.8, 1.0));
    vec3 m = bumped(n, height);
    c *= 1.0 - 0.48 * clamp(fold, 0.0, 1.1);
    c = mix(c, lip_colour * (0.9 + 0.2 * pores), 0.82 * mouth);
    c = mix(c, brow_colour, brows(r));
    // The hollow between lid and brow.
    float socket = bell(vec2((a - 3.1) / 1.35, (r.y - 4.25)), vec2(1.2, 0.35)) * step(5.0, r.z);
    c *= 1.0 - 0.22 * socket;
    float nostril = smoothstep(1.05, 0.75, length(vec2((a - 0.88) / 0.50, (r.y + 0.58) / 0.33)));
    c *= 1.0 - 0.93 * nostril;
    float oily = 1.6 * bell(vec2(r.x, r.y - 1.0), vec2(1.0, 2.5)) + 0.8 * bell(vec2(r.x, r.y - 8.0), vec2(3.0, 1.5));
    float gloss = (0.025 + 0.06 * complexion.z) * (1.0 + oily) * (1.0 - fold) * (1.0 - nostril) + 0.10 * mouth;
    // Light goes some way under the skin, red the farthest.
    vec3 sum = lit(c, m, vec3(0.42, 0.26, 0.20), gloss, mix(18.0, 30.0, mouth));
    float neck = 1.0 - 0.45 * smoothstep(-7.6, -9.6, r.y) * smoothstep(9.5, 5.5, r.z);
    sum *= neck * (1.0 - 0.2 * clamp(fold, 0.0, 1.0));
    // A shaven head shows where its hair would be.
    float grown = scalp(r) * (hair.x + hair.y > 0.0 ? 1.0 : 0.15);
    return mix(sum, hairy(hair_colour, n), clamp(max(grown, shaved), 0.0, 1.0));
}

vec3 eye(vec3 n) {
    vec3 d = normalize(kept);
    float off = acos(clamp(d.z, -1.0, 1.0)), round_ = atan(d.y, d.x);
    vec3 white = vec3(0.70, 0.66, 0.63) * mix(vec3(1.0), vec3(0.95, 0.72, 0.66), smoothstep(0.45, 1.1, off));
    float vein = smoothstep(0.62, 0.75, noise(vec3(round_ * 5.0, off * 3.0, seed))) * smoothstep(0.5, 0.9, off);
    white *= mix(vec3(1.0), vec3(0.95, 0.75, 0.72), 0.4 * vein);
    float rays = noise(vec3(cos(round_) * 9.0, sin(round_) * 9.0, off * 4.0 + seed));
    vec3 iris = iris_colour * (0.55 + 0.9 * rays) * mix(1.35, 0.7, smoothstep(pupil.x, pupil.y, off));
    // Light that comes in at one side lights the other side of the iris from within.
    iris *= 1.0 - 0.55 * dot(d.xy, sun.xy) / 0.4;
    iris = mix(iris, vec3(0.010), smoothstep(pupil.y - 0.10, pupil.y, off));
    vec3 c = mix(vec3(0.004), iris, smoothstep(pupil.x - 0.03, pupil.x + 0.03, off));
    c = mix(c, white, smoothstep(pupil.y - 0.03, pupil.y + 0.035, off));
    vec3 sum = lit(c, n, vec3(0.3), 0.0, 8.0);
    vec3 to_eye = normalize(vec3(0.0, 0.0, 60.0) - seen);
    vec3 bright = normalize(sun + to_eye * 1.0);
    float glint = smoothstep(0.972, 0.985, dot(n, bright)) + 0.35 * smoothstep(0.982, 0.99, dot(n, normalize(fill + to_eye)));
    return sum + 1.4 * glint * smoothstep(pupil.y + 0.25, pupil.y - 0.05, off);
}

void main() {
    vec3 n = normalize(facing);
    if (!gl_FrontFacing) n = -n;
    vec3 c;
    float deep = smoothstep(6.0, 11.0, kept.z);  // little light comes to the back of the mouth
    if (surface == SKIN) c = skin(n);
    else if (surface == INSIDE) c = lit(vec3(0.22, 0.045, 0.04), n, vec3(0.2), 0.02, 16.0) * deep;
    else if (surface == HAIR) c = hairy(hair_colour, n);
    else if (surface == GUMS) {
        vec3 wet = bumped(n, 0.03 * noise(kept * 6.0));
        c = lit(vec3(0.34, 0.085, 0.085), wet, vec3(0.25), 0.04, 20.0) * smoothstep(3.0, 10.9, kept.z);
    }
    else if (surface == TEETH) c = lit(vec3(0.78, 0.71, 0.60), n, vec3(0.35), 0.10, 40.0) * smoothstep(7.6, 10.7, kept.z);
    else if (surface == EYE) c = eye(n);
    else {
        float tip = smoothstep(1.12, 1.75, length(kept)), low = step(kept.y, 0.0);
        float strand = noise(vec3(atan(kept.x, kept.z) * 45.0, 0.5, seed + low));
        if (strand < mix(0.22, 0.85, tip) + 0.55 * low) discard;
        c = 0.12 * brow_colour;
    }
    light = vec4(c, 1.0);
}
