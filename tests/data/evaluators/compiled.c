/* Stands for every compiled evaluator: reads all of stdin, prints how much it was. */
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    char input[65536];
    size_t length = fread(input, 1, sizeof input - 1, stdin);
    input[length] = 0;
    int enveloped = strstr(input, "\"pipelineId\":\"my-pipeline\"") != NULL;
    printf("{\"status\": \"%s\", \"value\": {\"arguments\": %d}}\n", enveloped ? "PASS" : "FAIL", argc - 1);
    return argv[argc] != NULL;
}
