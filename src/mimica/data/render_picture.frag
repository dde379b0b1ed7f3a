// From light to a picture: what lies near in front of a point darkens it, the scene stands behind, a camera sees.
in vec2 at;
uniform sampler2D lights;
uniform sampler2D depths;
uniform sampler2D behind;
uniform vec2 range;       // nearest and farthest distance that depth tells
uniform vec3 lens;        // distance of the head, 1 / half of the picture's height there, how dark corners are
uniform float exposure;
uniform vec3 balance;
out vec4 picture;

float far_(vec2 p) {
    float d = texture(depths, p).r * 2.0 - 1.0;
    return 2.0 * range.x * range.y / (range.y + range.x - d * (range.y - range.x));
}

void main() {
    float here = far_(at), hidden = 0.0;
    vec4 seen = texture(lights, at);
    if (seen.a > 0.0) {
        float angle = fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715)))) * 6.2831853;
        for (int k = 0; k < TAPS; k++) {
            float reach = (float(k) + 0.5) / float(TAPS), turn = angle + 2.3999632 * float(k);
            float apart = 2.2 * sqrt(reach);
            vec2 p = at + 0.5 * apart * lens.y * vec2(cos(turn), sin(turn));
            float before = here - far_(p);
            hidden += smoothstep(0.15, 1.0, before / apart) * smoothstep(5.0, 2.0, before);
        }
        seen.rgb *= pow(max(1.0 - 0.9 * hidden / float(TAPS), 0.05), 1.6) * vec3(1.0, 0.985, 0.98);
    }
    vec3 scene = pow(texture(behind, at).rgb, vec3(2.2));
    vec3 c = mix(scene, seen.rgb, seen.a) * exposure * balance;
    c *= 1.0 - lens.z * dot(at - 0.5, at - 0.5);
    c = c * (1.0 + c / 6.0) / (1.0 + c * 0.75);
    picture = vec4(pow(clamp(c, 0.0, 1.0), vec3(1.0 / 2.2)), 1.0);
}
