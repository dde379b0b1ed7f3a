// A point of the head: hair stands off it, the neck takes part in its turn, a camera looks at it.
in vec3 place;
in vec3 normal;
in vec3 mark;
uniform int surface;
uniform mat3 head;      // how the head is turned
uniform vec3 pivot;     // about which point
uniform vec4 camera;    // distance, 1 / half of the picture's height there, shifts to the right and up
out vec3 seen;
out vec3 facing;
out vec3 kept;
out vec3 outward;

void main() {
    vec3 p = place;
    if (surface == SKIN) {
        float high = smoothstep(2.0, 9.0, mark.y);
        float bumps = 1.0 + hair.w * 0.5 * (noise(mark * 1.3) - 0.5);
        p += normal * (scalp(mark) * mix(hair.y, hair.x, high) * bumps + beard.x * bearded(mark));
    }
    float free = surface == SKIN || surface == HAIR ? smoothstep(-16.0, -8.5, place.y) : 1.0;
    vec3 turned = head * (p - pivot);
    p = mix(p - pivot, turned, free);
    facing = mix(normal, head * normal, free);
    outward = normal;
    kept = mark;
    seen = p;
    float away = camera.x - seen.z, near = camera.x - 30.0, far = camera.x + 40.0;
    // A cornea that looks aside would come through a closed lid: for what hides what, eyes lie a little deeper.
    float deeper = surface == EYE ? away / (away + 0.25) : 1.0;
    vec2 at = seen.xy * camera.y * camera.x + camera.zw * away;
    gl_Position = vec4(at, ((far + near) * away - 2.0 * far * near * deeper) / (far - near), away);
}
